import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { FAULTS, faultyHost } from '../certificates.js';
import type { ServerSoftware, Site } from './server.js';

/** Prosody 13 with the modules of SASL2, Bind2 and FAST that Debian's prosody-modules carries. */
export const prosody: ServerSoftware = {
  name: 'prosody',
  systemUser: 'prosody',
  webSocketPath: '/xmpp-websocket',

  async configure(site) {
    await writeFile(configurationFile(site), configuration(site));
  },

  serve(site) {
    return { file: 'prosody', args: ['--config', configurationFile(site), '-F'] };
  },

  async register(site, user, host, password, as) {
    await as({
      file: 'prosodyctl',
      args: ['--config', configurationFile(site), 'register', user, host, password],
    });
  },
};

/** Modules beside Prosody's own. */
export interface Additions {
  readonly logins: readonly string[];
  readonly rooms: readonly string[];
}

const LOGINS = ['sasl2', 'sasl2_bind2', 'sasl2_fast', 'sasl2_sm', 'sasl_ssdp'];

export function configurationFile(site: Site): string {
  return join(site.directory, 'prosody.cfg.lua');
}

/** The configuration, with the modules that are not Prosody's own but Debian's prosody-modules unless told otherwise. */
export function configuration(
  { domain, directory, ports, certificates }: Site,
  { logins, rooms }: Additions = { logins: LOGINS, rooms: ['muc_moderation'] },
): string {
  const good = tls(certificates.good.certificate, certificates.good.key);
  const faultyHosts = FAULTS.map((fault) => {
    const { certificate, key } = certificates.faulty[fault];
    return `
VirtualHost "${faultyHost(fault)}"
  ssl = ${tls(certificate, key)}
  c2s_direct_tls_ssl = ${tls(certificate, key)}
`;
  });
  // internal_plain keeps passwords as they are: that is what lets it offer SCRAM with SHA-1 and with SHA-256.
  return `
data_path = "${join(directory, 'data')}"
certificates = "${directory}"
log = { info = "*stdout" }
interfaces = { "127.0.0.1" }
c2s_ports = { ${ports.startTls} }
c2s_direct_tls_ports = { ${ports.directTls} }
http_ports = {}
https_ports = { ${ports.https} }
modules_disabled = { "s2s" }
modules_enabled = {
  "roster", "saslauth", "tls", "disco", "ping", "carbons", "pep", "bookmarks", "blocklist", "version", "time", "register_ibr", "user_account_management", "server_contact_info", "vcard4", "vcard_legacy", "private", "admin_adhoc", "uptime",
  ${quoted(['smacks', 'csi_simple', 'mam', ...logins])}
}
allow_registration = true
contact_info = { abuse = { "mailto:abuse@${domain}" } }
authentication = "internal_plain"
ssl = ${good}
c2s_direct_tls_ssl = ${good}
https_ssl = ${good}
http_external_url = "https://localhost:${ports.https}/"
admins = { "admin@${domain}" }

VirtualHost "${domain}"
  modules_enabled = { "websocket" }
  http_host = "localhost"

Component "conference.${domain}" "muc"
  modules_enabled = { ${quoted(['muc_mam', ...rooms])} }
  muc_room_default_persistent = true

Component "pubsub.${domain}" "pubsub"
  add_permissions = { ["prosody:registered"] = { "pubsub:create-node" } }

Component "upload.${domain}" "http_file_share"
  http_host = "localhost"
  http_file_share_allowed_file_types = { "application/*", "audio/*", "image/*", "text/*", "video/*" }

-- What they offer for a login differs.
VirtualHost "plain.${domain}"
  disco_hidden = true
  disable_sasl_mechanisms = { "DIGEST-MD5", ${scram('SHA-1', 'SHA-256')} }

VirtualHost "sha-1.${domain}"
  disco_hidden = true
  disable_sasl_mechanisms = { "DIGEST-MD5", ${scram('SHA-256')} }

VirtualHost "unbound.${domain}"
  disco_hidden = true
  disable_sasl_mechanisms = { "DIGEST-MD5", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS" }
  modules_disabled = { "sasl2", "sasl2_bind2", "sasl2_fast", "sasl2_sm", "sasl_ssdp" }

VirtualHost "anonymous.${domain}"
  disco_hidden = true
  authentication = "anonymous"

VirtualHost "certified.${domain}"
  disco_hidden = true
  authentication = "ccert"
  ssl = ${tls(certificates.good.certificate, certificates.good.key, `verify = { "peer", "client_once" }, cafile = "${certificates.authority}"`)}

-- A certificate can be bound to where the connection cannot.
VirtualHost "old-tls.${domain}"
  disco_hidden = true
  ssl = ${tls(certificates.good.certificate, certificates.good.key, 'protocol = "tlsv1_2"')}
  c2s_direct_tls_ssl = ${tls(certificates.good.certificate, certificates.good.key, 'protocol = "tlsv1_2"')}
  tls_server_end_point_hash = "auto"

-- Neither the connection nor the certificate can be bound to, by what is in use.
VirtualHost "unlike.${domain}"
  disco_hidden = true
  ssl = ${tls(certificates.good.certificate, certificates.good.key, 'protocol = "tlsv1_2"')}
  c2s_direct_tls_ssl = ${tls(certificates.good.certificate, certificates.good.key, 'protocol = "tlsv1_2"')}

-- Without an archive, what comes while somebody is away is kept for the next login.
VirtualHost "offline.${domain}"
  disco_hidden = true
  modules_enabled = { "offline" }
  modules_disabled = { "mam" }
${faultyHosts.join('')}`;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

function tls(certificate: string, key: string, more = ''): string {
  return `{ certificate = "${certificate}", key = "${key}", ${more} }`;
}

/** The mechanisms with these hashes, as a list without its braces. */
function scram(...hashes: readonly string[]): string {
  return hashes.map((hash) => `"SCRAM-${hash}", "SCRAM-${hash}-PLUS"`).join(', ');
}
