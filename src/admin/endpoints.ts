import { exportAudit, listAudit, verifyAudit } from './audit.ts';
import { createClient, listClients, removeClient, rotateClientSecret, showOneClient, updateClient } from './clients.ts';
import { createConsumer, listConsumers, removeConsumer, showOneConsumer, updateConsumer } from './consumers.ts';
import type { Endpoint } from './endpoint-table.ts';
import { listGrants, revokeOneGrant } from './grants.ts';
import { importKeys } from './key-import.ts';
import { createKey, listKeys, removeKey, revokeKey, rotateKey, showOneKey } from './keys.ts';
import { openapiJson, openapiYaml } from './openapi-document.ts';
import { endOneSession, listSessions } from './sessions.ts';
import { listSigningKeys, rotateSigningKeys } from './signing-keys.ts';
import { showStatus } from './status.ts';
import {
  createUser,
  endUserSessions,
  listUsers,
  removeUser,
  resetFactors,
  setPassword,
  showOneUser,
  updateUser,
} from './users.ts';

/** The whole admin API. docs/admin.openapi.yaml describes each row; a test holds the two together. */
// biome-ignore format: aligned on purpose, one endpoint a row
export const endpoints: readonly Endpoint[] = [
  { method: 'GET',    path: '/status',                           scope: 'admin:read',  action: showStatus,         summary: 'How the gateway is' },
  { method: 'GET',    path: '/openapi.json',                     scope: 'admin:read',  action: openapiJson,        summary: 'This description as JSON' },
  { method: 'GET',    path: '/openapi.yaml',                     scope: 'admin:read',  action: openapiYaml,        summary: 'This description as YAML' },

  { method: 'GET',    path: '/consumers',                        scope: 'admin:read',  action: listConsumers,      summary: 'List consumers' },
  { method: 'POST',   path: '/consumers',                        scope: 'admin:write', action: createConsumer,     summary: 'Create a consumer' },
  { method: 'GET',    path: '/consumers/{consumer}',             scope: 'admin:read',  action: showOneConsumer,    summary: 'Show a consumer' },
  { method: 'PATCH',  path: '/consumers/{consumer}',             scope: 'admin:write', action: updateConsumer,     summary: 'Change, disable or enable a consumer' },
  { method: 'DELETE', path: '/consumers/{consumer}',             scope: 'admin:write', action: removeConsumer,     summary: 'Remove a consumer and its keys' },
  { method: 'POST',   path: '/consumers/{consumer}/keys',        scope: 'admin:write', action: createKey,          summary: 'Create a key of a consumer' },

  { method: 'GET',    path: '/keys',                             scope: 'admin:read',  action: listKeys,           summary: 'List keys' },
  { method: 'POST',   path: '/keys/import',                      scope: 'admin:write', action: importKeys,         summary: 'Create many keys' },
  { method: 'GET',    path: '/keys/{key}',                       scope: 'admin:read',  action: showOneKey,         summary: 'Show a key' },
  { method: 'DELETE', path: '/keys/{key}',                       scope: 'admin:write', action: removeKey,          summary: 'Remove a key and its record' },
  { method: 'POST',   path: '/keys/{key}/rotate',                scope: 'admin:write', action: rotateKey,          summary: 'Replace a key, with an overlap' },
  { method: 'POST',   path: '/keys/{key}/revoke',                scope: 'admin:write', action: revokeKey,          summary: 'Revoke a key' },

  { method: 'GET',    path: '/clients',                          scope: 'admin:read',  action: listClients,        summary: 'List OAuth clients' },
  { method: 'POST',   path: '/clients',                          scope: 'admin:write', action: createClient,       summary: 'Create an OAuth client' },
  { method: 'GET',    path: '/clients/{client}',                 scope: 'admin:read',  action: showOneClient,      summary: 'Show an OAuth client' },
  { method: 'PATCH',  path: '/clients/{client}',                 scope: 'admin:write', action: updateClient,       summary: 'Change, disable or enable an OAuth client' },
  { method: 'DELETE', path: '/clients/{client}',                 scope: 'admin:write', action: removeClient,       summary: 'Remove an OAuth client and what it was granted' },
  { method: 'POST',   path: '/clients/{client}/rotate-secret',   scope: 'admin:write', action: rotateClientSecret, summary: 'Give an OAuth client another secret' },

  { method: 'GET',    path: '/users',                            scope: 'admin:read',  action: listUsers,          summary: 'List local users' },
  { method: 'POST',   path: '/users',                            scope: 'admin:write', action: createUser,         summary: 'Create a local user' },
  { method: 'GET',    path: '/users/{user}',                     scope: 'admin:read',  action: showOneUser,        summary: 'Show a local user' },
  { method: 'PATCH',  path: '/users/{user}',                     scope: 'admin:write', action: updateUser,         summary: 'Change, disable or enable a local user' },
  { method: 'DELETE', path: '/users/{user}',                     scope: 'admin:write', action: removeUser,         summary: 'Remove a local user and end what it holds' },
  { method: 'PUT',    path: '/users/{user}/password',            scope: 'admin:write', action: setPassword,        summary: 'Set a password and end what the user holds' },
  { method: 'POST',   path: '/users/{user}/reset-factors',       scope: 'admin:write', action: resetFactors,       summary: 'Forget the second factors and passkeys of a user' },
  { method: 'POST',   path: '/users/{user}/end-sessions',        scope: 'admin:write', action: endUserSessions,    summary: 'Sign a user out everywhere and revoke its tokens' },

  { method: 'GET',    path: '/sessions',                         scope: 'admin:read',  action: listSessions,       summary: 'List sessions of browsers' },
  { method: 'DELETE', path: '/sessions/{session}',               scope: 'admin:write', action: endOneSession,      summary: 'End a session of a browser' },
  { method: 'GET',    path: '/grants',                           scope: 'admin:read',  action: listGrants,         summary: 'List what users allowed clients' },
  { method: 'DELETE', path: '/grants/{grant}',                   scope: 'admin:write', action: revokeOneGrant,     summary: 'Revoke a grant and its tokens' },

  { method: 'GET',    path: '/signing-keys',                     scope: 'admin:read',  action: listSigningKeys,    summary: 'List signing keys' },
  { method: 'POST',   path: '/signing-keys/rotate',              scope: 'admin:write', action: rotateSigningKeys,  summary: 'Have the next signing key made now' },

  { method: 'GET',    path: '/audit',                            scope: 'admin:read',  action: listAudit,          summary: 'List audit records, the newest first' },
  { method: 'GET',    path: '/audit/export',                     scope: 'admin:read',  action: exportAudit,        summary: 'All audit records as JSON lines' },
  { method: 'GET',    path: '/audit/verification',               scope: 'admin:read',  action: verifyAudit,        summary: 'Recompute the chain of the audit log' },
];
