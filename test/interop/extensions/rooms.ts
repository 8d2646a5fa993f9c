import type { Server } from '../servers/server.js';

export async function roomExtensions(_server: Server): Promise<void> {}
