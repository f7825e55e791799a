/**
 * Runs the tool server of `tool-server.ts` on a folder.
 *
 *   ISSUER, RESOURCE (http://127.0.0.1:4100/mcp), FOLDER
 */
import { startToolServer } from './tool-server.js';

const { ISSUER: issuer, RESOURCE: resource, FOLDER: folder } = process.env;
if (issuer === undefined || resource === undefined || folder === undefined) {
  throw new Error('set ISSUER, RESOURCE and FOLDER');
}
await startToolServer(Number(new URL(resource).port), folder, { issuer, resource });
console.log(`protecting ${folder} at ${resource}`);
