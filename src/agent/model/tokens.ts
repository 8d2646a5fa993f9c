/** How many tokens a text is, roughly. */
import type { ChatMessage, ModelUsage } from './model.js';

/** What the roles and the framing of a message cost. */
const TOKENS_PER_MESSAGE = 4;
/** What a picture costs, about: providers count it by its size in pixels. */
const TOKENS_PER_IMAGE = 1000;

/**
 * The tokens of `text`, estimated: four ASCII characters make one, or two of any others.
 * Good enough to cut a context window and to count a day's use; never for a bill.
 */
export function estimateTokens(text: string): number {
  let quarters = 0;
  for (const character of text) quarters += character <= '\x7f' ? 1 : 2;
  return Math.ceil(quarters / 4);
}

/** What a request cost, where the provider does not say. @param answer all that the model wrote, shown or not */
export function estimateUsage(messages: readonly ChatMessage[], answer: string): ModelUsage {
  return {
    promptTokens: messages.reduce((sum, message) => sum + tokensOf(message), 0),
    completionTokens: estimateTokens(answer),
    estimated: true,
  };
}

function tokensOf({ content, images = [], toolCalls = [] }: ChatMessage): number {
  const called = toolCalls.reduce((sum, call) => sum + estimateTokens(call.name + call.arguments), 0);
  return TOKENS_PER_MESSAGE + estimateTokens(content) + images.length * TOKENS_PER_IMAGE + called;
}
