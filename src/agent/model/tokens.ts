/** Estimates of token counts. */
import type { ChatMessage, ModelUsage } from './model.js';

/** The overhead of a message: role and framing. */
const TOKENS_PER_MESSAGE = 4;
/** Roughly what a picture costs; providers count its pixels. */
const TOKENS_PER_IMAGE = 1000;

/**
 * Estimates the tokens of `text`: one per four ASCII characters or two others.
 * Good enough to cut a context window and to enforce a daily limit, not for billing.
 */
export function estimateTokens(text: string): number {
  let quarters = 0;
  for (const character of text) quarters += character <= '\x7f' ? 1 : 2;
  return Math.ceil(quarters / 4);
}

/** Estimates the usage of a request when the provider does not report it. @param answer everything the model wrote, shown or not */
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
