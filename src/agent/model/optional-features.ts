/** Which extras a model turns out not to take. A refusal is found by its words, because every server has its own. */
import type { ModelError, ModelRequest } from './model.js';
import type { OptionalFeature } from './request-body.js';

const REFUSALS: Readonly<Record<OptionalFeature, RegExp>> = {
  usage: /stream_options|include_usage/,
  // "does not support image input", "image_url is not supported", "No endpoints found that support image input", "content must be a string"
  images: /image|picture|vision|visual|multi-?modal|mmproj|content\b.*\b(?:string|str|array|list|type)/i,
  // "does not support tools", "tool choice requires --enable-auto-tool-choice", "No endpoints found that support tool use"
  tools: /\btools?\b|tool_|function.?call/i,
};
/** One picture that a model cannot read says nothing about the next one: it may have been sent to be refused. */
const ONE_PICTURE =
  /(?:invalid|corrupt\w*|broken|unsupported|unreadable|valid) (?:image|picture|media|base64)|decode|base64|format|too (?:large|big|many|small)|size|dimension|pixel|process|download/i;
/** A complaint about one call in one conversation is none about tools. */
const MISSING_ABILITY = /support|enable|requires|unrecognized|unknown|not (?:allowed|available|permitted)|extra/i;

/** The extra in `request` that `error` is about, if asking without it may help. */
export function rejectedFeature(
  error: ModelError,
  request: ModelRequest,
  without: ReadonlySet<OptionalFeature>,
): OptionalFeature | undefined {
  // Some servers call it their own failure (500).
  if (error.kind !== 'bad-request' && error.status !== 500) return undefined;
  const said = saidBy(error);
  const used: readonly (OptionalFeature | false)[] = [
    error.kind === 'bad-request' && 'usage',
    request.messages.some(({ images = [] }) => images.length > 0) && 'images',
    (request.tools ?? []).length > 0 && 'tools',
  ];
  return used.find((extra) => extra !== false && !without.has(extra) && REFUSALS[extra].test(said)) || undefined;
}

/** Whether the refusal is for good, so that the extra is not tried again. */
export function isPermanentRejection(extra: OptionalFeature, error: ModelError): boolean {
  const said = saidBy(error);
  if (extra === 'images') return !ONE_PICTURE.test(said);
  return extra === 'usage' || MISSING_ABILITY.test(said);
}

/** The words of the server in an error, without ours around them, which have names that people chose. */
function saidBy({ message }: ModelError): string {
  return message.split(', saying ').slice(1).join();
}
