/** How the browser session was proved; becomes `acr` in tokens (OpenID Connect Core §2). */
export const PASSWORD_ACR = 'urn:behalf:acr:password';
