/**
 * Servers that run a model themselves render a conversation as one text, with control tokens such as `<|im_start|>system` between the messages.
 * Many of them recognise a token anywhere in that text, so text in a message must not contain one. A space inside makes it plain text.
 */

/**
 * The control tokens of common models: `<|…|>` (ChatML, Llama 3, GPT, Phi), `<｜…｜>` (DeepSeek), `<start_of_turn>` (Gemma), `[INST]` and `<<SYS>>`
 * (Mistral, Llama 2), `<s>` and `</s>`, and the calls and results of tools.
 */
const TOKEN =
  /(?:<(?=[|｜]|\/?(?:s|(?:start|end)_of_turn|bos|eos|tool_call|tool_response)>|<\/?SYS>>))|\[(?=\/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])/g;

/** Returns `text` with a space inside every control token. */
export function escapeControlTokens(text: string): string {
  return text.replace(TOKEN, '$& ');
}
