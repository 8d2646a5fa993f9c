/**
 * XEP-0128 Service Discovery Extensions, 1.0.1 (Active). https://xmpp.org/extensions/xep-0128.html
 *
 * Reads forms with further information about an entity, identified by their `FORM_TYPE`. Ours are added with `addForm` of
 * `serviceDiscovery`.
 */
import { type DataForm, formType, readDataForm } from './xep-0004-data-forms.js';
import type { DiscoInfo } from './xep-0030-service-discovery.js';

/** The form with that `FORM_TYPE`, if the entity sent one. */
export function extendedInfo({ forms }: Pick<DiscoInfo, 'forms'>, subject: string): DataForm | undefined {
  return forms.map(readDataForm).find((form) => form?.type === 'result' && formType(form) === subject);
}
