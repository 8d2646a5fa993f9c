/**
 * Texts in several languages (RFC 6120 §8.1.5): a body, a subject, a status or an error's text may occur once per language. A text
 * without `xml:lang` inherits the language of the elements around it, up to the stream.
 */
import { NS_XML, type Element } from '../xml/element.js';

/** A human-readable text. */
export interface LocalizedText {
  readonly text: string;
  /** A tag of RFC 5646, such as `de-CH`; `undefined` if unknown. */
  readonly language: string | undefined;
}

/** The language of an element: its own `xml:lang`, or the inherited one. An empty `xml:lang` cancels the inheritance (XML §2.12). */
export function languageOf(element: Element, inherited: string | undefined): string | undefined {
  const own = element.attr('lang', NS_XML);
  return own === undefined ? inherited : own === '' ? undefined : own;
}

/**
 * Reads all texts of this name directly inside `parent`, in document order.
 * @param language the language of `parent`
 */
export function readTexts(
  parent: Element,
  name: string,
  language: string | undefined,
  ns: string = parent.ns,
): LocalizedText[] {
  return parent.children(name, ns).map((element) => ({ text: element.text, language: languageOf(element, language) }));
}

/** Reads the default text: the one in the language of `parent`, or else the first. `undefined` if there is none. */
export function readText(
  parent: Element,
  name: string,
  language: string | undefined,
  ns: string = parent.ns,
): LocalizedText | undefined {
  const element = parent.children(name, ns).find((one) => one.attr('lang', NS_XML) === undefined);
  const chosen = element ?? parent.child(name, ns);
  return chosen === undefined ? undefined : { text: chosen.text, language: languageOf(chosen, language) };
}

/**
 * Chooses a text by the lookup of RFC 4647 §3.4: `de-CH` also matches `de`. In addition, `de` matches `de-CH`.
 * @param preferred language tags, most preferred first
 * @returns the first text if none matches; `undefined` if there is no text
 */
export function chooseText(texts: readonly LocalizedText[], preferred: readonly string[]): LocalizedText | undefined {
  for (const tag of preferred) {
    for (let range = tag.toLowerCase(); range !== ''; range = shortened(range)) {
      const found = texts.find(({ language }) => language?.toLowerCase() === range);
      if (found !== undefined) return found;
    }
    const prefix = `${tag.toLowerCase()}-`;
    const wider = texts.find(({ language }) => language?.toLowerCase().startsWith(prefix) === true);
    if (wider !== undefined) return wider;
  }
  return texts[0];
}

/** Removes the last subtag, and a single letter or digit before it, which only introduces that subtag (RFC 4647 §3.4). */
function shortened(range: string): string {
  return range.replace(/(?:-[^-])?-[^-]*$|^[^-]*$/, '');
}
