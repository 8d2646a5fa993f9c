/** The skills at hand while the bot runs. They are read when they are needed, so that a changed one counts at once. */
import { loadSkill, SkillError, type Skill } from './skill.js';

export class SkillLoader {
  readonly #searchPaths: readonly string[];
  readonly #report: (message: string) => void;
  readonly #told = new Set<string>();

  /** @param report told of a skill that cannot be used, once for each reason */
  constructor(searchPaths: readonly string[], report: (message: string) => void) {
    this.#searchPaths = searchPaths;
    this.#report = report;
  }

  /** The skills with these names, as far as they can be used. */
  load(names: readonly string[]): readonly Skill[] {
    return names.flatMap((name) => {
      try {
        return loadSkill(name, this.#searchPaths);
      } catch (error) {
        if (!(error instanceof SkillError)) throw error;
        const message = `the skill ${name}: ${error.message}`;
        if (!this.#told.has(message)) this.#report(message);
        this.#told.add(message);
        return [];
      }
    });
  }
}
