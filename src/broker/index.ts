/** The broker, importable: an agent-identity delegation broker in one function. */
export { type Broker, type BrokerDeps, createBroker } from './app.js';
export { type Config, readConfig } from './config.js';
