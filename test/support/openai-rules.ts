/**
 * What the OpenAI API accepts as a body of POST /v1/chat/completions, as strictly as the real one: an unknown field, a wrong type, a
 * call of a tool without its result are all refused. The rules follow OpenAI's API reference for chat completions.
 */

/** Why a request is refused: the real API's own sort of sentence, and the field it is about. */
export interface Refusal {
  readonly message: string;
  readonly param: string | null;
}

type Json = Record<string, unknown>;
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isFilled: Check = (value) => typeof value === 'string' && value !== '';
const isFlag: Check = (value) => typeof value === 'boolean';
const isList = (value: unknown): value is unknown[] => Array.isArray(value);
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !isList(value);
const isWithin =
  (least: number, most: number): Check =>
  (value) =>
    typeof value === 'number' && value >= least && value <= most;
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 1;
const isOneOf =
  (...values: unknown[]): Check =>
  (value) =>
    values.includes(value);
const isName: Check = (value) => typeof value === 'string' && /^[\w-]{1,64}$/.test(value);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
/** An object with these fields, those without a question mark required, and no others. */
const isShaped =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) &&
    Object.keys(value).every((key) => key in fields || `${key}?` in fields) &&
    Object.entries(fields).every(([key, check]) =>
      key.endsWith('?') ? !(key.slice(0, -1) in value) || check(value[key.slice(0, -1)]) : check(value[key]),
    );
const isListOf =
  (check: Check, most: number): Check =>
  (value) =>
    isList(value) && value.length >= 1 && value.length <= most && value.every(check);

const isTextPart = isShaped({ type: isOneOf('text'), text: isText });
const isPicture: Check = (url) =>
  typeof url === 'string' && /^(?:https?:\/\/|data:image\/(?:png|jpeg|gif|webp);base64,[\w+/]+=*$)/.test(url);
const isImagePart = isShaped({
  type: isOneOf('image_url'),
  image_url: isShaped({ url: isPicture, 'detail?': isOneOf('auto', 'low', 'high') }),
});
const isTextContent: Check = (value) => isText(value) || isListOf(isTextPart, 100)(value);
const isUserContent: Check = (value) =>
  isText(value) || isListOf((part) => isTextPart(part) || isImagePart(part), 100)(value);
const isToolCall = isShaped({
  id: isFilled,
  type: isOneOf('function'),
  function: isShaped({ name: isName, arguments: isText }),
});
const isTool = isShaped({
  type: isOneOf('function'),
  function: isShaped({
    name: isName,
    'description?': isText,
    'parameters?': (value) => isObject(value) && value['type'] === 'object',
    'strict?': orNull(isFlag),
  }),
});

const FIELDS: Readonly<Record<string, Check>> = {
  model: isFilled,
  messages: isListOf(isObject, 100_000),
  stream: orNull(isFlag),
  stream_options: orNull(isShaped({ 'include_usage?': isFlag, 'include_obfuscation?': isFlag })),
  temperature: orNull(isWithin(0, 2)),
  top_p: orNull(isWithin(0, 1)),
  n: orNull(isOneOf(1)),
  max_tokens: orNull(isCount),
  max_completion_tokens: orNull(isCount),
  stop: orNull((value) => isText(value) || isListOf(isText, 4)(value)),
  presence_penalty: orNull(isWithin(-2, 2)),
  frequency_penalty: orNull(isWithin(-2, 2)),
  seed: orNull((value) => Number.isSafeInteger(value)),
  user: isText,
  tools: isListOf(isTool, 128),
  tool_choice: (value) =>
    isOneOf('none', 'auto', 'required')(value) ||
    isShaped({ type: isOneOf('function'), function: isShaped({ name: isName }) })(value),
  parallel_tool_calls: isFlag,
  reasoning_effort: orNull(isOneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh')),
};

const MESSAGES: Readonly<Record<string, Check>> = {
  system: isShaped({ role: isText, content: isTextContent, 'name?': isName }),
  developer: isShaped({ role: isText, content: isTextContent, 'name?': isName }),
  user: isShaped({ role: isText, content: isUserContent, 'name?': isName }),
  assistant: (value) =>
    isShaped({
      role: isText,
      'content?': orNull(isTextContent),
      'refusal?': orNull(isText),
      'name?': isName,
      'tool_calls?': isListOf(isToolCall, 128),
    })(value) &&
    isObject(value) &&
    (typeof value['content'] === 'string' || isList(value['content']) || isList(value['tool_calls'])),
  tool: isShaped({ role: isText, content: isTextContent, tool_call_id: isFilled }),
};

/** Why the API refuses `body`; undefined when it takes it. */
export function refusalOf(body: unknown): Refusal | undefined {
  if (!isObject(body)) return { message: 'The body of your request is not a JSON object.', param: null };
  for (const required of ['model', 'messages']) {
    if (!(required in body)) return { message: `Missing required parameter: '${required}'.`, param: required };
  }
  for (const [field, value] of Object.entries(body)) {
    const check = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
    if (check === undefined) return { message: `Unrecognized request argument supplied: ${field}`, param: field };
    if (!check(value)) return { message: `Invalid value for '${field}': ${JSON.stringify(value)}`, param: field };
  }
  if (isObject(body['stream_options']) && body['stream'] !== true) {
    return {
      message: "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
      param: 'stream_options',
    };
  }
  for (const field of ['tool_choice', 'parallel_tool_calls']) {
    if (field in body && !('tools' in body)) {
      return { message: `'${field}' is only allowed when 'tools' are specified.`, param: field };
    }
  }
  return messagesRefusal(body['messages'] as Json[]);
}

/** Each message by its role, and the results of tools right after the calls they belong to. */
function messagesRefusal(messages: readonly Json[]): Refusal | undefined {
  let awaited = new Set<unknown>();
  for (const [index, message] of messages.entries()) {
    const param = `messages.[${index}]`;
    const { role } = message;
    const check = typeof role === 'string' && Object.hasOwn(MESSAGES, role) ? MESSAGES[role] : undefined;
    if (check === undefined) return { message: `Invalid value for '${param}.role': ${JSON.stringify(role)}`, param };
    if (!check(message)) return { message: `Invalid message '${param}': ${JSON.stringify(message)}`, param };
    if (role === 'tool') {
      if (awaited.delete(message['tool_call_id'])) continue;
      return {
        message: "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
        param,
      };
    }
    if (awaited.size > 0) return unanswered(awaited, param);
    awaited = new Set(((message['tool_calls'] ?? []) as Json[]).map(({ id }) => id));
  }
  return awaited.size > 0 ? unanswered(awaited, 'messages') : undefined;
}

function unanswered(ids: ReadonlySet<unknown>, param: string): Refusal {
  const list = [...ids].join(', ');
  return {
    message: `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'; missing: ${list}`,
    param,
  };
}
