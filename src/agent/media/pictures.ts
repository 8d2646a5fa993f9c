/** Loads the pictures of a prompt from disk, only when the request is made. */
import type { ChatMessage, ModelImage } from '../model/model.js';
import type { MediaStore } from './store.js';

/** A picture of a message, by its name in the store. */
export interface PictureReference {
  readonly file: string;
  /** Such as `image/png`. */
  readonly mediaType: string;
  /** The sender's name for the file. */
  readonly name: string;
}

/** A message of a prompt whose pictures are not loaded yet. */
export interface PromptMessage extends ChatMessage {
  readonly pictures?: readonly PictureReference[];
}

/**
 * The messages with their pictures loaded. A text stands in for a picture that is no longer stored.
 * @throws the error of the file system
 */
export function withPictures(
  messages: readonly PromptMessage[],
  store: Pick<MediaStore, 'load'>,
): Promise<readonly ChatMessage[]> {
  return Promise.all(
    messages.map(async ({ pictures = [], ...message }) => {
      if (pictures.length === 0) return message;
      const images: ModelImage[] = [];
      let { content } = message;
      for (const { file, mediaType, name } of pictures) {
        const data = await store.load(file);
        if (data === undefined) content += `\n[The picture "${name}" is not kept any more.]`;
        else images.push({ mediaType, base64: Buffer.from(data).toString('base64') });
      }
      return { ...message, content, ...(images.length === 0 ? {} : { images }) };
    }),
  );
}
