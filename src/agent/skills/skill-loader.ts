/** The skills of the bot while it runs. They are read when they are needed, so that a change takes effect at once. */
import type { Log } from '../log.js';
import { loadSkill, SkillError, type Skill } from './skill.js';

/** Finds skills by name in the configured folders. */
export class SkillLoader {
  readonly #searchPaths: readonly string[];
  readonly #log: Log;
  readonly #logged = new Set<string>();

  /** @param log gets each reason why a skill cannot be used, once */
  constructor(searchPaths: readonly string[], log: Log) {
    this.#searchPaths = searchPaths;
    this.#log = log;
  }

  /** The skills with these names; those that cannot be used are reported and left out. */
  load(names: readonly string[]): readonly Skill[] {
    return names.flatMap((name) => {
      try {
        return loadSkill(name, this.#searchPaths);
      } catch (error) {
        if (!(error instanceof SkillError)) throw error;
        const message = `the skill ${name}: ${error.message}`;
        if (!this.#logged.has(message)) this.#log('warn', 'error', { kind: 'skill', message });
        this.#logged.add(message);
        return [];
      }
    });
  }
}
