/** Pictures of a prompt are read from the disk when a request is made, and not before. */
import type { ChatMessage, ModelImage } from '../model/model.js';
import type { MediaStore } from './store.js';

/** A picture that a message shows, by its name in the store. */
export interface PictureReference {
  readonly file: string;
  /** Such as `image/png`. */
  readonly mediaType: string;
  /** What people call it. */
  readonly name: string;
}

/** A message of a prompt whose pictures are still on the disk. */
export interface PromptMessage extends ChatMessage {
  readonly pictures?: readonly PictureReference[];
}

/**
 * The messages with their pictures. One that is not kept any more is told of in words.
 * @throws what the file system says
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
