export const load = () => import('koa');
