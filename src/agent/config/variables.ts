/** Replaces `${NAME}` in strings of the configuration with environment variables; `$${` stands for a literal `${`. */

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Matches every `${`: escaped, with a name, or invalid. */
const REFERENCE = /\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{/g;

/**
 * Replaces the variables in a string.
 * @returns the text, or a problem, worded to follow the setting's name
 */
export function substituteVariables(
  text: string,
  environment: Environment,
): { readonly text: string } | { readonly problem: string } {
  let problem: string | undefined;
  const replaced = text.replace(REFERENCE, (_, escaped: string | undefined, name: string | undefined, at: number) => {
    if (escaped !== undefined) return escaped;
    if (name === undefined) {
      problem ??= problemAt(text.slice(at));
      return '';
    }
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value === undefined) problem ??= `needs the environment variable ${name}, which is not set`;
    return value ?? '';
  });
  return problem === undefined ? { text: replaced } : { problem };
}

/** `${NAME:-default}` and the like, as in shells and compose files. */
const SHELL_FORM = /^\$\{([A-Za-z_][A-Za-z0-9_]{0,63}):?[-=?+]/;

/** What is wrong with the `${` at the start of `text`. The default is not quoted: it may be a secret. */
function problemAt(text: string): string {
  const name = SHELL_FORM.exec(text)?.[1];
  if (name !== undefined)
    return `has a default for the variable ${name}, which is not supported; write \${${name}} and set the variable`;
  return 'has a "${" that starts no variable; write ${NAME}, or $${ for a literal "${"';
}

/** A variable in a form of other programs. */
const OTHER_FORMS = /^(?:\$(?:env:)?[a-z_]\w*|\$\([a-z_]\w*\)|%[a-z_]\w*%|\{\{\s?[$.]?(?:env\.)?[a-z_]\w*\s?\}\})$/i;

/** Whether a whole string looks like a variable and is none here: `$NAME`, `$(NAME)`, `%NAME%`, `{{NAME}}`. */
export function looksLikeVariable(text: string): boolean {
  return OTHER_FORMS.test(text);
}
