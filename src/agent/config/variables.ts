/** `${NAME}` in a text of the configuration stands for an environment variable; `$${` stands for `${` itself. */

export type Environment = Readonly<Record<string, string | undefined>>;

/** Every `${` with what makes it a variable, if it is one, or with the dollar that makes it mere text. */
const REFERENCE = /\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{/g;

/**
 * Replaces the variables of a text.
 * @returns the text, or what is wrong with it in words that go after the setting's name
 */
export function substituteVariables(
  text: string,
  environment: Environment,
): { readonly text: string } | { readonly problem: string } {
  let problem: string | undefined;
  const replaced = text.replace(REFERENCE, (_, escaped: string | undefined, name: string | undefined) => {
    if (escaped !== undefined) return escaped;
    if (name === undefined) {
      problem ??= 'has a "${" that starts no variable; write ${NAME}, or $${ for a literal "${"';
      return '';
    }
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value === undefined) problem ??= `needs the environment variable ${name}, which is not set`;
    return value ?? '';
  });
  return problem === undefined ? { text: replaced } : { problem };
}
