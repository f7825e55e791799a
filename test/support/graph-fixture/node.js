import 'node:fs';

export const platform = 'node';
