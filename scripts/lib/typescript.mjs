/**
 * The interface of TypeScript 6 (that of 7 is not stable yet; types are checked, and the package is built, by 7). It is a CommonJS module of 9 MB: an
 * `import` would search it for its exports, which takes seconds.
 */
import { createRequire } from 'node:module';

export default createRequire(import.meta.url)('typescript');
