/**
 * Texts in several languages (RFC 6120 §8.1.5): a body, a subject, a status or the text of an error may be there once for each.
 * A text that does not say its language has that of the element around it, the outermost being the stream.
 */
import { NS_XML, type Element } from '../xml/element.js';

/** A text for people. */
export interface LocalizedText {
  readonly text: string;
  /** A tag of RFC 5646, such as `de-CH`; `undefined` where nobody said. */
  readonly language: string | undefined;
}

/** The language of an element: its own `xml:lang`, or else what it inherits. An empty one takes the inheritance back (XML §2.12). */
export function languageOf(element: Element, inherited: string | undefined): string | undefined {
  const own = element.attr('lang', NS_XML);
  return own === undefined ? inherited : own === '' ? undefined : own;
}

/**
 * All texts of that name directly inside `parent`, as they came.
 * @param language that of `parent`
 */
export function readTexts(
  parent: Element,
  name: string,
  language: string | undefined,
  ns: string = parent.ns,
): LocalizedText[] {
  return parent.children(name, ns).map((element) => ({ text: element.text, language: languageOf(element, language) }));
}

/** The one text to show who has no preference: that in the language of `parent`, or else the first. */
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
 * The text that suits best, by the lookup of RFC 4647 §3.4: `de-CH` is content with `de`. Beyond it, `de` is content with `de-CH`.
 * @param preferred language tags, the dearest first
 * @returns the first text when none suits; `undefined` when there is none
 */
export function chooseText(texts: readonly LocalizedText[], preferred: readonly string[]): LocalizedText | undefined {
  for (const wish of preferred) {
    for (let range = wish.toLowerCase(); range !== ''; range = shortened(range)) {
      const found = texts.find(({ language }) => language?.toLowerCase() === range);
      if (found !== undefined) return found;
    }
    const prefix = `${wish.toLowerCase()}-`;
    const wider = texts.find(({ language }) => language?.toLowerCase().startsWith(prefix) === true);
    if (wider !== undefined) return wider;
  }
  return texts[0];
}

/** Without its last subtag, nor a single letter or digit before that, which only introduces what follows (RFC 4647 §3.4). */
function shortened(range: string): string {
  return range.replace(/(?:-[^-])?-[^-]*$|^[^-]*$/, '');
}
