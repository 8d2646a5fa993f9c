/**
 * Servers that run a model themselves put a conversation into one text, with marks such as `<|im_start|>system` between the messages, and many of
 * them read a mark as one wherever it stands. So nobody may write one: with a space in it, it is only text.
 */

/**
 * What models in use have for marks: `<|…|>` (ChatML, Llama 3, GPT, Phi), `<｜…｜>` (DeepSeek), `<start_of_turn>` (Gemma), `[INST]` and `<<SYS>>`
 * (Mistral, Llama 2), `<s>` and `</s>`, and the calls and results of tools.
 */
const MARK =
  /(?:<(?=[|｜]|\/?(?:s|(?:start|end)_of_turn|bos|eos|tool_call|tool_response)>|<\/?SYS>>))|\[(?=\/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])/g;

/** `text` without marks that a server could read. */
export function escapeControlTokens(text: string): string {
  return text.replace(MARK, '$& ');
}
