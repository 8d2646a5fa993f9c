/**
 * Part of `npm run lint`: finds promises that nobody awaits, and rejections that nobody looks at.
 *
 *   node scripts/unawaited.mjs             # the folders of FOLDERS
 *   node scripts/unawaited.mjs src/agent   # these instead
 *
 * The rules of oxlint take `promise.catch(…)`, `promise.then(a, b)` and `void promise` for handled. Here a promise has to be awaited, returned,
 * kept, or handed to the one door for background work; and a handler of rejections has to look at the reason, or name what it does not
 * care about.
 */
import { relative, sep } from 'node:path';
import process from 'node:process';
import ts from './lib/typescript.mjs';

/** What is checked unless the command line names something else. */
const FOLDERS = ['src'];
/** The doors themselves: in them, and nowhere else, a promise is let go. */
const DOORS = ['src/xmpp-core/background.ts'];

const folders = process.argv.length > 2 ? process.argv.slice(2) : FOLDERS;
const { config } = ts.readConfigFile('tsconfig.build.json', (path) => ts.sys.readFile(path));
const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, '.');
const program = ts.createProgram(fileNames, options);
const checker = program.getTypeChecker();
const findings = [];
let checked = 0;

for (const source of program.getSourceFiles()) {
  const file = relative('.', source.fileName).split(sep).join('/');
  const isMeant = folders.some((folder) => file === folder || file.startsWith(`${folder}/`));
  if (!isMeant || DOORS.includes(file)) continue;
  checked++;
  visit(source, (node, what) => {
    const { line, character } = source.getLineAndCharacterOfPosition(node.getStart(source));
    findings.push(`${file}:${line + 1}:${character + 1}: ${what}`);
  });
}
if (checked === 0) throw new Error(`there is no source file in ${folders.join(' or ')}`);
process.stderr.write(findings.map((finding) => `${finding}\n`).join(''));
process.exitCode = findings.length === 0 ? 0 : 1;

function visit(node, report) {
  if (ts.isExpressionStatement(node) && isLetGo(node.expression))
    report(node, 'nobody awaits this promise: await it, return it, or hand the work to background()');
  if (ts.isVoidExpression(node) && isPromise(node.expression))
    report(node, '`void` lets a promise go: await it, return it, or hand the work to background()');
  if (ts.isArrowFunction(node) && !ts.isBlock(node.body) && isPromise(node.body) && returnsNothing(node))
    report(node, 'whoever calls this function does not wait for its promise: hand the work to background()');
  for (const handler of rejectionHandlers(node))
    if (ignoresReason(handler)) report(handler, 'a rejection is swallowed: look at its reason');
  if (
    ts.isTryStatement(node) &&
    node.catchClause?.variableDeclaration === undefined &&
    node.catchClause &&
    awaits(node.tryBlock)
  )
    report(node.catchClause, 'a rejection is swallowed: look at its reason');
  ts.forEachChild(node, (child) => visit(child, report));
}

/** Whether the value of a statement is a promise that is neither awaited nor put anywhere. */
function isLetGo(expression) {
  const inner = ts.skipParentheses(expression);
  if (ts.isBinaryExpression(inner)) {
    const operator = inner.operatorToken.kind;
    if (operator >= ts.SyntaxKind.FirstAssignment && operator <= ts.SyntaxKind.LastAssignment) return false;
    return isLetGo(inner.right);
  }
  if (ts.isConditionalExpression(inner)) return isLetGo(inner.whenTrue) || isLetGo(inner.whenFalse);
  return !ts.isVoidExpression(inner) && !ts.isAwaitExpression(inner) && isPromise(inner);
}

function isPromise(expression) {
  const type = checker.getTypeAtLocation(expression);
  const parts = type.isUnion() ? type.types : [type];
  return parts.some((part) => {
    const then = part.getProperty('then');
    return then !== undefined && checker.getTypeOfSymbolAtLocation(then, expression).getCallSignatures().length > 0;
  });
}

/** Whether a function stands where its result is thrown away, as in `setTimeout(() => work())`. */
function returnsNothing(fn) {
  const signature = checker.getContextualType(fn)?.getCallSignatures()[0];
  return signature !== undefined && (signature.getReturnType().flags & ts.TypeFlags.Void) !== 0;
}

/** The functions that are given the reasons of rejections, where `node` is `promise.catch(…)` or `promise.then(…, …)`. */
function rejectionHandlers(node) {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return [];
  if (!isPromise(node.expression.expression)) return [];
  const { text: method } = node.expression.name;
  const handler = method === 'catch' ? node.arguments[0] : method === 'then' ? node.arguments[1] : undefined;
  return handler === undefined ? [] : [handler];
}

function ignoresReason(handler) {
  const signature = checker.getTypeAtLocation(handler).getCallSignatures()[0];
  const fn = ts.skipParentheses(handler);
  if (ts.isArrowFunction(fn) || ts.isFunctionExpression(fn)) return fn.parameters.length === 0 || isEmpty(fn.body);
  return signature?.parameters.length === 0;
}

function isEmpty(body) {
  return ts.isBlock(body) && body.statements.length === 0;
}

/** Whether a block awaits something itself, not in a function within it. */
function awaits(block) {
  const search = (node) =>
    ts.isAwaitExpression(node) ||
    (ts.isForOfStatement(node) && node.awaitModifier !== undefined) ||
    (!ts.isFunctionLike(node) && ts.forEachChild(node, search) === true);
  return search(block);
}
