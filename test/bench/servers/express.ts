// An Express server with one route: unprotected, or behind the verifier.
import type { AddressInfo } from 'node:net';
import express, { type RequestHandler } from 'express';
import type { JWK } from 'jose';
import { createVerifier } from '../../../src/verifier/index.js';
import { ISSUER, RESOURCE } from '../tokens.js';

const { jwks, isProtected } = JSON.parse(process.argv[2] as string) as {
  jwks: { keys: JWK[] };
  isProtected: boolean;
};

const verifier = createVerifier({ issuer: ISSUER, resource: RESOURCE, jwks, revocation: 'off' });
const protect: RequestHandler = (req, res, next) => {
  verifier.authenticate(req).then(
    () => next(),
    (error) => {
      const { status, headers, body } = verifier.challenge(error);
      res.status(status).set(headers).json(body);
    },
  );
};

const app = express();
if (isProtected) app.use(protect);
app.post('/api', (_req, res) => void res.json({ ok: true }));
const server = app.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ secrets: {}, port });
});
process.on('disconnect', () => process.exit(0));
