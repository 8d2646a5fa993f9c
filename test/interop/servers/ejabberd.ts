import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { FAULTS, faultyHost } from '../certificates.js';
import type { ServerSoftware, Site } from './server.js';

/** Virtual hosts below the domain, which are there for their logins. */
const LOGINS = ['plain', 'sha-1', 'unbound', 'anonymous', 'old-tls'];

/** ejabberd 24.12. */
export const ejabberd: ServerSoftware = {
  name: 'ejabberd',
  systemUser: 'ejabberd',
  webSocketPath: '/ws',

  async configure(site) {
    await writeFile(configurationFile(site), configuration(site));
    // The start script of the package reads both when they are there; these take the system's place.
    await writeFile(join(site.directory, 'ejabberdctl.cfg'), '');
    await writeFile(join(site.directory, 'inetrc'), '{file, hosts, "/etc/hosts"}.\n');
  },

  serve(site) {
    const { directory, ports } = site;
    return {
      file: 'ejabberdctl',
      args: ['foreground'],
      environment: {
        CONFIG_DIR: directory,
        EJABBERD_CONFIG_PATH: configurationFile(site),
        EJABBERDCTL_CONFIG_PATH: join(directory, 'ejabberdctl.cfg'),
        EJABBERD_PID_PATH: join(directory, 'ejabberd.pid'),
        LOGS_DIR: directory,
        SPOOL_DIR: directory,
        // With a port of its own the Erlang node needs no epmd.
        ERL_DIST_PORT: String(ports.erlang),
      },
    };
  },

  async register({ ports }, user, host, password) {
    const answer = await fetch(`http://127.0.0.1:${ports.administration}/api/register`, {
      method: 'POST',
      body: JSON.stringify({ user, host, password }),
    });
    if (!answer.ok) throw new Error(`ejabberd did not register ${user}@${host}: ${await answer.text()}`);
  },
};

function configurationFile(site: Site): string {
  return join(site.directory, 'ejabberd.yml');
}

function configuration({ domain, directory, ports, certificates }: Site): string {
  const hosts = [domain, ...LOGINS.map((login) => `${login}.${domain}`), ...FAULTS.map(faultyHost)];
  const { good, faulty } = certificates;
  const certificateFiles = [good, ...FAULTS.map((fault) => faulty[fault])].flatMap(({ certificate, key }) => [
    certificate,
    key,
  ]);
  // Passwords are kept as they are: that is what lets it offer SCRAM with SHA-1, SHA-256 and SHA-512.
  return `
hosts: ${list(hosts)}
loglevel: info
certfiles: ${list(certificateFiles)}
acme:
  auto: false
auth_method: internal
registration_timeout: infinity
access_rules:
  loopback:
    allow: loopback
  configure:
    allow: administrator
auth_password_format: plain
acl:
  loopback:
    ip: 127.0.0.0/8
  administrator:
    user: admin@${domain}
api_permissions:
  registration:
    from: mod_http_api
    who:
      acl: loopback
    what: [register]
listen:
  - port: ${ports.startTls}
    ip: 127.0.0.1
    module: ejabberd_c2s
    starttls_required: true
  - port: ${ports.directTls}
    ip: 127.0.0.1
    module: ejabberd_c2s
    tls: true
  - port: ${ports.https}
    ip: 127.0.0.1
    module: ejabberd_http
    tls: true
    request_handlers:
      /ws: ejabberd_http_ws
      /upload: mod_http_upload
  - port: ${ports.administration}
    ip: 127.0.0.1
    module: ejabberd_http
    request_handlers:
      /api: mod_http_api
modules:
  mod_adhoc:
    report_commands_node: true
  mod_auth_fast: {}
  mod_blocking: {}
  mod_caps: {}
  mod_carboncopy: {}
  mod_client_state: {}
  mod_configure: {}
  mod_disco:
    server_info:
      - modules: all
        name: abuse-addresses
        urls: ["mailto:abuse@${domain}"]
  mod_http_api: {}
  mod_last: {}
  mod_mam:
    default: always
  mod_muc:
    host: conference.@HOST@
    default_room_options:
      persistent: true
      mam: true
  mod_muc_occupantid: {}
  mod_offline: {}
  mod_ping: {}
  mod_privacy: {}
  mod_private: {}
  mod_pubsub:
    plugins: [flat, pep]
  mod_register:
    ip_access: loopback
  mod_roster:
    versioning: true
  mod_stream_mgmt: {}
  mod_time: {}
  mod_vcard: {}
  mod_vcard_xupdate: {}
  mod_version: {}
# What they offer for a login differs.
host_config:
  plain.${domain}:
    disable_sasl_mechanisms: ${list(['DIGEST-MD5', 'X-OAUTH2', ...scram('SHA-1', 'SHA-256', 'SHA-512')])}
  sha-1.${domain}:
    disable_sasl_mechanisms: ${list(['DIGEST-MD5', 'X-OAUTH2', ...scram('SHA-256', 'SHA-512')])}
  unbound.${domain}:
    disable_sasl_mechanisms: ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"]
  anonymous.${domain}:
    auth_method: [anonymous]
    anonymous_protocol: sasl_anon
  old-tls.${domain}:
    c2s_protocol_options: [no_sslv3, no_tlsv1, no_tlsv1_1, no_tlsv1_3]
# Hosts cannot share a put_url, and only this one has uploads.
append_host_config:
  ${domain}:
    modules:
      mod_http_upload:
        host: upload.@HOST@
        access: all
        docroot: "${join(directory, 'uploads')}"
        put_url: https://localhost:${ports.https}/upload
`;
}

/** The mechanisms with these hashes. */
function scram(...hashes: readonly string[]): readonly string[] {
  return hashes.flatMap((hash) => [`SCRAM-${hash}`, `SCRAM-${hash}-PLUS`]);
}

function list(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
}
