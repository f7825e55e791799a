/** The MCP clients people use, and where each is stricter than the others. Data. */

export interface KnownClient {
  readonly name: string;
  /** How the resource in the metadata must compare with the address the user typed. */
  readonly resource: 'equal' | 'within';
  /** Whether the metadata of the authorization server must name it exactly (RFC 8414 §3.3). */
  readonly checksIssuer: boolean;
  /** What an error of the server (5xx) at one metadata address means: the end, or the next address. */
  readonly serverError: 'abort' | 'next';
  /** Refuses metadata that do not say S256. */
  readonly needsS256: boolean;
  /** Runs in a page of this origin: without CORS it reads nothing. */
  readonly pageOrigin?: string;
  /** Its metadata document, where it has one. */
  readonly documentUrl?: string;
  /** Where it is answered. */
  readonly redirectUri: string;
}

export const KNOWN_CLIENTS: readonly KnownClient[] = [
  {
    name: 'MCP SDK v1',
    resource: 'within',
    checksIssuer: false,
    serverError: 'abort',
    needsS256: false,
    redirectUri: 'http://localhost:8090/callback',
  },
  {
    name: 'MCP SDK v2',
    resource: 'within',
    checksIssuer: true,
    serverError: 'abort',
    needsS256: true,
    redirectUri: 'http://localhost:8090/callback',
  },
  {
    name: 'Claude',
    resource: 'equal',
    checksIssuer: true,
    serverError: 'abort',
    needsS256: true,
    documentUrl: 'https://claude.ai/oauth/claude-code-client-metadata',
    redirectUri: 'http://localhost:52431/callback',
  },
  {
    name: 'VS Code',
    resource: 'equal',
    checksIssuer: true,
    serverError: 'next',
    needsS256: true,
    documentUrl: 'https://vscode.dev/oauth/client-metadata.json',
    redirectUri: 'http://127.0.0.1:33418/',
  },
  {
    name: 'Cursor',
    resource: 'within',
    checksIssuer: false,
    serverError: 'abort',
    needsS256: true,
    redirectUri: 'cursor://anysphere.cursor-mcp/oauth/callback',
  },
  {
    name: 'MCP Inspector',
    resource: 'within',
    checksIssuer: true,
    serverError: 'abort',
    needsS256: true,
    pageOrigin: 'http://localhost:6274',
    redirectUri: 'http://localhost:6274/oauth/callback',
  },
];
