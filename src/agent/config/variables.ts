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
