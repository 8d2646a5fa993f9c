/** Loads skills while the bot runs, from disk each time, so that changes take effect at once. */
import { loadSkill, SkillError, type Skill } from './skill.js';

/** Loads skills from the configured folders. */
export class SkillLoader {
  readonly #searchPaths: readonly string[];
  readonly #report: (message: string) => void;
  readonly #reported = new Set<string>();

  /** @param report called for a skill that cannot be used, once per message */
  constructor(searchPaths: readonly string[], report: (message: string) => void) {
    this.#searchPaths = searchPaths;
    this.#report = report;
  }

  /** The skills with these names; those that cannot be used are reported and left out. */
  load(names: readonly string[]): readonly Skill[] {
    return names.flatMap((name) => {
      try {
        return loadSkill(name, this.#searchPaths);
      } catch (error) {
        if (!(error instanceof SkillError)) throw error;
        const message = `the skill ${name}: ${error.message}`;
        if (!this.#reported.has(message)) this.#report(message);
        this.#reported.add(message);
        return [];
      }
    });
  }
}
