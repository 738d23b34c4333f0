// fauxqs on 127.0.0.1 only: its own command would listen on every address.
import { buildApp } from 'fauxqs';

await buildApp().listen({ host: '127.0.0.1', port: Number(process.argv[2]) });
