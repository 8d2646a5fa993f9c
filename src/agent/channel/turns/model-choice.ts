/** Selects the model of a conversation. */
import type { AccountConfig, Config, RoomConfig } from '../../config/config.js';
import type { ModelChoice } from '../../conversation/history.js';

/** The model settings of an account or a room. */
type ModelSettings = Pick<AccountConfig | RoomConfig, 'modelProvider' | 'model'>;

/** Every model that can be chosen: those that the providers list, and those in the settings of the account and its rooms. No duplicates. */
export function modelChoices(
  account: ModelSettings & Pick<AccountConfig, 'mucRooms'>,
  providers: Config['providers'],
): readonly ModelChoice[] {
  const listed = [...providers.values()].flatMap(({ name, models }) =>
    models.map((model) => ({ provider: name, model })),
  );
  const given = [account, ...account.mucRooms.values()].map(configuredModel);
  const all = [...listed, ...given];
  return all.filter((choice, index) => all.findIndex((other) => isSame(choice, other)) === index);
}

/** The model in the settings of an account or a room. */
export function configuredModel({ modelProvider, model }: ModelSettings): ModelChoice {
  return { provider: modelProvider, model };
}

/** The model that was chosen in the conversation if it is still available, else the configured one. */
export function selectModel(
  settings: ModelSettings,
  chosen: ModelChoice | undefined,
  choices: readonly ModelChoice[],
): ModelChoice {
  // A reload may have removed it from the configuration.
  const isAvailable = chosen !== undefined && choices.some((choice) => isSame(choice, chosen));
  return isAvailable ? chosen : configuredModel(settings);
}

function isSame(one: ModelChoice, other: ModelChoice): boolean {
  return one.provider === other.provider && one.model === other.model;
}
