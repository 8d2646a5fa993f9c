import type { Server } from '../servers/server.js';

export async function messageExtensions(_server: Server): Promise<void> {}
