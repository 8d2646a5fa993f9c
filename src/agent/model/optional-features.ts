/** Detects optional features that a server rejects, by the text of its error: every server words it differently. */
import type { ModelError, ModelRequest } from './model.js';
import type { OptionalFeature } from './request-body.js';

const REJECTIONS: Readonly<Record<OptionalFeature, RegExp>> = {
  usage: /stream_options|include_usage/,
  // "does not support image input", "image_url is not supported", "No endpoints found that support image input", "content must be a string"
  images: /image|picture|vision|visual|multi-?modal|mmproj|content\b.*\b(?:string|str|array|list|type)/i,
  // "does not support tools", "tool choice requires --enable-auto-tool-choice", "No endpoints found that support tool use"
  tools: /\btools?\b|tool_|function.?call/i,
  // "body.messages.0.user.name: Extra inputs are not permitted"
  names:
    /\bname\b.{0,40}(?:not (?:permitted|allowed|supported)|extra|unexpected|unrecognized)|(?:extra|unexpected|unrecognized|unknown).{0,40}\bname\b/i,
  // "System role not supported", "Developer instruction is not enabled", "Only user and assistant roles are supported"
  system:
    /(?:system|developer)[ _](?:role|message|prompt|instruction)s?.{0,40}(?:not|n't)|(?:not|n't) support.{0,20}system|only user and assistant roles/i,
};
/** An error about one picture says nothing about the next: somebody may have sent it to cause that error. */
const ONE_PICTURE =
  /(?:invalid|corrupt\w*|broken|unsupported|unreadable|valid) (?:image|picture|media|base64)|decode|base64|format|too (?:large|big|many|small)|size|dimension|pixel|process|download/i;
/** Distinguishes missing tool support from an error about one call in one conversation. */
const MISSING_ABILITY = /support|enable|requires|unrecognized|unknown|not (?:allowed|available|permitted)|extra/i;

/**
 * The feature used in `request` that `error` is about, if a retry without it may help.
 * @param isLast whether the same request is not made again
 */
export function rejectedFeature(
  error: ModelError,
  request: ModelRequest,
  without: ReadonlySet<OptionalFeature>,
  isLast: boolean,
): OptionalFeature | undefined {
  const usesTools = (request.tools ?? []).length > 0 && !without.has('tools');
  // A call that came out wrong is chance, and may come out right the next time. At last the model answers without tools.
  if (error.kind === 'bad-call') return usesTools && isLast ? 'tools' : undefined;
  // Some servers report it as an internal error (500).
  if (error.kind !== 'bad-request' && error.status !== 500) return undefined;
  const text = providerText(error);
  const used: readonly (OptionalFeature | false)[] = [
    error.kind === 'bad-request' && 'usage',
    request.messages.some(({ role }) => role === 'system') && 'system',
    request.messages.some(({ name = '' }) => name !== '') && 'names',
    request.messages.some(({ images = [] }) => images.length > 0) && 'images',
    usesTools && 'tools',
  ];
  return (
    used.find((feature) => feature !== false && !without.has(feature) && REJECTIONS[feature].test(text)) || undefined
  );
}

/** Whether the rejection holds for all requests, so that the feature is not used again. */
export function isPermanentRejection(feature: OptionalFeature, error: ModelError): boolean {
  if (error.kind === 'bad-call') return false;
  const text = providerText(error);
  if (feature === 'images') return !ONE_PICTURE.test(text);
  return feature !== 'tools' || MISSING_ABILITY.test(text);
}

/** The server's text in an error, without our text around it, which contains configured names. */
function providerText({ message }: ModelError): string {
  return message.split(', saying ').slice(1).join();
}
