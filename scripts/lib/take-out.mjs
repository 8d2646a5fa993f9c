/**
 * Takes one piece out of a source, which is found by its syntax: line breaks, indentation, quotes and trailing commas do not matter.
 *
 * What is left in its place follows from where it stands: nothing for a statement, a property or an argument; what decides nothing for one side of `&&` or
 * `||`; `false` for a condition. Anything else needs `instead`.
 */
import ts from './typescript.mjs';

const { SyntaxKind } = ts;
/** What decides nothing on one side of these. */
const NEUTRAL = { [SyntaxKind.BarBarToken]: 'false', [SyntaxKind.AmpersandAmpersandToken]: 'true' };

/**
 * @param source the text of a file in TypeScript
 * @param piece `without` is the code to take out; `instead`, the code in its place; where it stands more than once, `within` has
 *   the names around it (`Class.method`), or `beside` other code of its statement
 * @returns the text without it
 * @throws {Error} when it is not there exactly once, or when `instead` is missing
 */
export function takeOut(source, { without, instead, within, beside }) {
  const tree = parse(source);
  const places = placesOf(tree, without).filter((node) => isWithin(node, within) && isBeside(node, beside));
  const sought = [without, within && `within ${within}`, beside && `beside ${beside}`].filter(Boolean).join(', ');
  if (places.length !== 1) throw new Error(`is there ${places.length} times, and not once: ${sought}`);
  const [place] = places;
  const rest = instead ?? restOf(place);
  if (rest === undefined) throw new Error(`needs to know what stands instead: ${sought}`);
  return source.slice(0, place.getStart(tree)) + rest + source.slice(place.end);
}

function parse(text) {
  return ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest, true);
}

/** The nodes that read like this code. */
function placesOf(node, code) {
  const tokens = tokensOf(node);
  const wanted = tokensOf(parse(code)).map(wordOf);
  if (wanted.at(-1) === ';') wanted.pop();
  const words = tokens.map(wordOf);
  return words.flatMap((_, at) => {
    if (!wanted.every((word, index) => word === words[at + index])) return [];
    const [last, next] = tokens.slice(at + wanted.length - 1);
    const ends = next?.kind === SyntaxKind.SemicolonToken ? [last.end, next.end] : [last.end];
    return outermost(tokens[at], (one) => ends.includes(one.end)) ?? [];
  });
}

/** The largest node that begins with a token and is as wanted. */
function outermost(token, isWanted) {
  let found;
  for (let node = token; node.getStart() === token.getStart() && node.parent !== undefined; node = node.parent)
    if (isWanted(node)) found = node;
  return found;
}

/** The tokens of a node, but for the commas before closing brackets, which come and go with line breaks. */
function tokensOf(node) {
  const tokens = leavesOf(node);
  const isClosing = (token) => token !== undefined && /^[)\]}]$/.test(token.getText());
  return tokens.filter(({ kind }, index) => kind !== SyntaxKind.CommaToken || !isClosing(tokens[index + 1]));
}

function leavesOf(node) {
  const isComment = ({ kind }) => kind >= SyntaxKind.FirstJSDocNode && kind <= SyntaxKind.LastJSDocNode;
  const parts = node.getChildren().filter((part) => !isComment(part));
  if (parts.length > 0) return parts.flatMap(leavesOf);
  return node.getWidth() > 0 ? [node] : [];
}

function wordOf(token) {
  return ts.isStringLiteralLike(token) ? JSON.stringify(token.text) : token.getText();
}

/** Whether the names of what is around a node have these among them, one right after the other. */
function isWithin(node, names) {
  if (names === undefined) return true;
  const around = [];
  for (let one = node.parent; one !== undefined; one = one.parent)
    if (one.name !== undefined) around.unshift(one.name.getText());
  return `.${around.join('.')}.`.includes(`.${names}.`);
}

/** Whether the smallest statement around a node has this code in it as well. */
function isBeside(node, code) {
  return code === undefined || placesOf(ts.findAncestor(node.parent, ts.isStatement), code).length > 0;
}

/** What stands where a piece was; nothing when that does not follow from its place. */
function restOf(node) {
  if (ts.isStatement(node) || ts.isExpressionStatement(node.parent)) return ';';
  if (ts.isObjectLiteralElementLike(node)) return '...{}';
  const { parent } = node;
  if (ts.isParenthesizedExpression(parent)) return restOf(parent);
  if (ts.isArrayLiteralExpression(parent) || parent.arguments?.includes(node)) return '...[]';
  if (ts.isBinaryExpression(parent)) return NEUTRAL[parent.operatorToken.kind];
  if (ts.isIfStatement(parent) && parent.expression === node) return 'false';
  return ts.isConditionalExpression(parent) && parent.condition === node ? 'false' : undefined;
}
