/** Files: where they are uploaded (XEP-0363), and how messages share them (XEP-0447). */
import { httpUpload } from '../../../src/xeps/xep-0363-http-file-upload.js';
import { fileSharing, readSharedFiles, writeFileMessage } from '../../../src/xeps/xep-0447-stateless-file-sharing.js';
import { list, type Extensions } from './extension.js';

export const fileExtensions: Extensions = {
  'XEP-0363': {
    plugins: [httpUpload],
    attach({ client }) {
      const uploads = client.get(httpUpload);
      return {
        async 'upload-service'() {
          const service = await uploads.service();
          return { jid: service?.jid.toString(), 'max-size': service?.maxFileSize };
        },
        async slot(asked) {
          const slot = await uploads.slot({
            filename: asked.need('name'),
            size: Number(asked.need('size')),
            contentType: asked.need('type'),
          });
          const { putUrl, getUrl, headers } = slot;
          return { put: putUrl, get: getUrl, headers: list(Object.keys(headers)) };
        },
        async upload(asked) {
          const data = Buffer.from(asked.need('text'));
          return { url: await uploads.upload({ name: asked.need('name'), type: asked.need('type'), data }) };
        },
      };
    },
  },
  'XEP-0447': {
    plugins: [fileSharing],
    read({ element }) {
      const files = readSharedFiles(element);
      const [first] = files;
      return {
        'file-name': first?.file.name,
        'file-type': first?.file.mediaType,
        'file-size': first?.file.size,
        'file-urls': list(first?.urls ?? []),
        files: files.length > 1 ? files.length : undefined,
      };
    },
    compose(message, asked) {
      const urls = asked.list('file-urls');
      if (urls.length === 0) return message;
      const [name, mediaType, size] = [asked.text('file-name'), asked.text('file-type'), asked.number('file-size')];
      const file = {
        ...(name === undefined ? {} : { name }),
        ...(mediaType === undefined ? {} : { mediaType }),
        ...(size === undefined ? {} : { size }),
      };
      return message.withNodes(...writeFileMessage({ file, urls }).payloads);
    },
  },
};
