import type { Server } from '../servers/server.js';

export async function pubsubExtensions(_server: Server): Promise<void> {}
