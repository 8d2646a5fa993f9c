/**
 * XEP-0128 Service Discovery Extensions, 1.0.1 (Active). https://xmpp.org/extensions/xep-0128.html
 *
 * What an entity tells of itself beside its features: forms, known by their `FORM_TYPE`. Our own are added with
 * `serviceDiscovery`'s `extend`.
 */
import { type DataForm, formType, readDataForm } from './xep-0004-data-forms.js';
import type { DiscoInfo } from './xep-0030-service-discovery.js';

/** The form about `subject`, a `FORM_TYPE`, if the entity has sent one. */
export function extendedInfo({ forms }: Pick<DiscoInfo, 'forms'>, subject: string): DataForm | undefined {
  return forms.map(readDataForm).find((form) => form?.type === 'result' && formType(form) === subject);
}
