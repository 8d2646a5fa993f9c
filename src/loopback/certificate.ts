/**
 * The certificate of the loopback server: for `localhost`, self-signed, valid for a century from 2026.
 *
 * Its key is public, which harms nobody: only the demo and the tests trust it, and only for a server on 127.0.0.1. It is shipped
 * because a user's machine need not have a tool to make one. Made with:
 *
 *     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost
 *       -addext subjectAltName=DNS:localhost,DNS:rooms.localhost,DNS:upload.localhost,IP:127.0.0.1
 *       -addext keyUsage=digitalSignature,keyCertSign -addext extendedKeyUsage=serverAuth
 */

/** PEM. Also what a client of the loopback server has to trust. */
export const LOOPBACK_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIB4TCCAYigAwIBAgIUQlGrsk3maE6adPpi0rTfUFb+BIYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjIxMDQzOVoYDzIxMjYxMDI5
MjEwNDM5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATlgnZU0tz/oZpixe3bRnEjQejmsDMZbK8W7F3Cf+/okzUxJSqihVgU
EXVBNzPZXM6mpgAlidGVH1fonQPUN2aro4G1MIGyMB0GA1UdDgQWBBQwctYWcDfZ
J3WaIBbcp0OV3PFugDAfBgNVHSMEGDAWgBQwctYWcDfZJ3WaIBbcp0OV3PFugDAP
BgNVHRMBAf8EBTADAQH/MD0GA1UdEQQ2MDSCCWxvY2FsaG9zdIIPcm9vbXMubG9j
YWxob3N0ghB1cGxvYWQubG9jYWxob3N0hwR/AAABMAsGA1UdDwQEAwIChDATBgNV
HSUEDDAKBggrBgEFBQcDATAKBggqhkjOPQQDAgNHADBEAiB4CDCpBf+ovotxPijX
+BtQGIcOMNXckb4rFjWer9LwHgIgQVU76FDsGAFdCNslBj9p09z1y075r7kvlB0x
tlExXn8=
-----END CERTIFICATE-----
`;

/** PEM. */
export const LOOPBACK_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsb8h06Tmqt4j6reH
z5rfezHPTfuJD9/LP0gKrsfZTf6hRANCAATlgnZU0tz/oZpixe3bRnEjQejmsDMZ
bK8W7F3Cf+/okzUxJSqihVgUEXVBNzPZXM6mpgAlidGVH1fonQPUN2ar
-----END PRIVATE KEY-----
`;
