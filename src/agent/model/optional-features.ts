/** Detects optional features that a server rejects, by the text of its error: every server words it differently. */
import type { ModelError, ModelRequest } from './model.js';
import type { OptionalFeature } from './request-body.js';

const REJECTIONS: Readonly<Record<OptionalFeature, RegExp>> = {
  usage: /stream_options|include_usage/,
  // "does not support image input", "image_url is not supported", "No endpoints found that support image input", "content must be a string"
  images: /image|picture|vision|visual|multi-?modal|mmproj|content\b.*\b(?:string|str|array|list|type)/i,
  // "does not support tools", "tool choice requires --enable-auto-tool-choice", "No endpoints found that support tool use"
  tools: /\btools?\b|tool_|function.?call/i,
};
/** An error about one picture says nothing about the next: somebody may have sent it to cause that error. */
const ONE_PICTURE =
  /(?:invalid|corrupt\w*|broken|unsupported|unreadable|valid) (?:image|picture|media|base64)|decode|base64|format|too (?:large|big|many|small)|size|dimension|pixel|process|download/i;
/** Distinguishes missing tool support from an error about one call in one conversation. */
const MISSING_ABILITY = /support|enable|requires|unrecognized|unknown|not (?:allowed|available|permitted)|extra/i;

/** The feature used in `request` that `error` is about, if a retry without it may help. */
export function rejectedFeature(
  error: ModelError,
  request: ModelRequest,
  without: ReadonlySet<OptionalFeature>,
): OptionalFeature | undefined {
  // Some servers report it as an internal error (500).
  if (error.kind !== 'bad-request' && error.status !== 500) return undefined;
  const text = providerText(error);
  const used: readonly (OptionalFeature | false)[] = [
    error.kind === 'bad-request' && 'usage',
    request.messages.some(({ images = [] }) => images.length > 0) && 'images',
    (request.tools ?? []).length > 0 && 'tools',
  ];
  return (
    used.find((feature) => feature !== false && !without.has(feature) && REJECTIONS[feature].test(text)) || undefined
  );
}

/** Whether the rejection holds for all requests, so that the feature is not used again. */
export function isPermanentRejection(feature: OptionalFeature, error: ModelError): boolean {
  const text = providerText(error);
  if (feature === 'images') return !ONE_PICTURE.test(text);
  return feature === 'usage' || MISSING_ABILITY.test(text);
}

/** The server's text in an error, without our text around it, which contains configured names. */
function providerText({ message }: ModelError): string {
  return message.split(', saying ').slice(1).join();
}
