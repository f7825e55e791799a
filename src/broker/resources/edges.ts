/**
 * Downstream edges against their other ends, as the transaction sees them: after every change of
 * scopes or edges, both ends must still agree. Nothing is taken away on the way: what somebody
 * else's edge names is refused until that edge is changed.
 */
import type { Executor } from '../db/database.js';
import { conflict, type FieldProblem } from '../registry/refusal.js';
import { edgeProblems } from './policy.js';
import { findResource, type ResourceRow, resourcesUpstream } from './store.js';

/** What is wrong with the edges from and to a resource, as fields of that resource. */
export async function problemsOfEdges(db: Executor, row: ResourceRow): Promise<FieldProblem[]> {
  return [...(await ownProblems(db, row)), ...(await upstreamProblems(db, row))];
}

async function ownProblems(db: Executor, row: ResourceRow): Promise<FieldProblem[]> {
  const problems: FieldProblem[] = [];
  for (const [n, edge] of row.downstream.entries()) {
    const at = ['downstream', n];
    const other = await findResource(db, edge.resource);
    if (other?.status !== 'active') {
      problems.push({
        path: [...at, 'resource'],
        message: `names no resource: "${edge.resource}"`,
      });
      continue;
    }
    for (const { from, message } of edgeProblems(edge, row.scopes, other.scopes)) {
      problems.push({ path: [...at, 'scopes', from], message });
    }
  }
  return problems;
}

async function upstreamProblems(db: Executor, row: ResourceRow): Promise<FieldProblem[]> {
  const problems: FieldProblem[] = [];
  for (const upstream of await resourcesUpstream(db, row.identifier)) {
    for (const edge of upstream.downstream) {
      if (edge.resource !== row.identifier) continue;
      for (const { from, to } of edgeProblems(edge, upstream.scopes, row.scopes)) {
        problems.push({
          path: ['scopes', to],
          message: `no longer fits the edge from ${upstream.identifier} ("${from}" → "${to}"): change that first`,
        });
      }
    }
  }
  return problems;
}

/** @throws Refusal while somebody goes on to it */
export async function refuseWhileDownstream(db: Executor, identifier: string): Promise<void> {
  const [upstream] = await resourcesUpstream(db, identifier);
  if (upstream === undefined) return;
  throw conflict(
    ['identifier'],
    `is downstream of ${upstream.identifier}: take that edge away first`,
  );
}
