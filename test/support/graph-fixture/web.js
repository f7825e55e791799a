import 'zod';

export const platform = 'web';
