/** Which model a conversation asks. */
import type { AccountConfig, Config, RoomConfig } from '../../config/config.js';
import type { ModelChoice } from '../../conversation/history.js';

/** What of an account or a room says which model it asks. */
type Voice = Pick<AccountConfig | RoomConfig, 'modelProvider' | 'model'>;

/** Every model that can be chosen: those that the providers list, and those that the account and its rooms are given. None twice. */
export function modelChoices(
  account: Voice & Pick<AccountConfig, 'mucRooms'>,
  providers: Config['providers'],
): readonly ModelChoice[] {
  const listed = [...providers.values()].flatMap(({ name, models }) =>
    models.map((model) => ({ provider: name, model })),
  );
  const given = [account, ...account.mucRooms.values()].map(configuredModel);
  const all = [...listed, ...given];
  return all.filter((choice, index) => all.findIndex((other) => isSame(choice, other)) === index);
}

export function configuredModel({ modelProvider, model }: Voice): ModelChoice {
  return { provider: modelProvider, model };
}

/** The model that was chosen in the conversation, as long as there is such a one; else that of the configuration. */
export function modelAsked(
  voice: Voice,
  chosen: ModelChoice | undefined,
  choices: readonly ModelChoice[],
): ModelChoice {
  // The configuration may have lost it since.
  const isThere = chosen !== undefined && choices.some((choice) => isSame(choice, chosen));
  return isThere ? chosen : configuredModel(voice);
}

function isSame(one: ModelChoice, other: ModelChoice): boolean {
  return one.provider === other.provider && one.model === other.model;
}
