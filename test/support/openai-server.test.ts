import t from 'tap';
import { startOpenAiServer } from './openai-server.js';

t.test('the stand-in for the API is as strict as the API', async (t) => {
  const server = await startOpenAiServer();
  t.teardown(() => server.close());
  const send = async (body: unknown, key = server.apiKey): Promise<Response> =>
    fetch(`${server.baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const good = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };
  const call = { id: 'c1', type: 'function', function: { name: 'now', arguments: '{}' } };
  const called = { role: 'assistant', content: null, tool_calls: [call] };

  t.test('it takes what is right, streamed or not', async (t) => {
    const tools = [{ type: 'function', function: { name: 'now', parameters: { type: 'object' } } }];
    const result = { role: 'tool', tool_call_id: 'c1', content: 'noon' };
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
    const response = await send(good);
    t.match(await response.json(), { choices: [{ message: { content: 'You said: Hello' }, finish_reason: 'stop' }] });
    t.match(await (await send({ ...good, stream: true })).text(), /data: \[DONE\]\n\n$/);
    for (const more of [
      { tools, messages: [...good.messages, called, result] },
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, image] }] },
    ]) {
      t.equal((await send({ ...good, ...more })).status, 200);
    }
    t.strictSame(server.violations, []);
  });

  t.test('it refuses what is wrong, and remembers it', async (t) => {
    const wrong: readonly unknown[] = [
      [],
      { model: 'm' },
      { ...good, extra: 1 },
      { ...good, constructor: 1 },
      { ...good, messages: [] },
      { ...good, messages: [{ role: 'robot', content: 'x' }] },
      { ...good, messages: [{ role: 'user' }] },
      { ...good, messages: [{ role: 'user', content: null }] },
      { ...good, messages: [{ role: 'user', content: 'x', name: 'two words' }] },
      { ...good, messages: [{ role: 'assistant', content: null }] },
      { ...good, messages: [called] },
      { ...good, messages: [called, { role: 'user', content: 'x' }] },
      { ...good, messages: [{ role: 'tool', tool_call_id: 'c1', content: 'x' }] },
      { ...good, stream_options: { include_usage: true } },
      { ...good, stream: 'yes' },
      { ...good, temperature: 3 },
      { ...good, tools: [] },
      { ...good, tool_choice: 'auto' },
    ];
    for (const body of wrong) t.equal((await send(body)).status, 400, JSON.stringify(body));
    t.equal((await send(good, 'wrong')).status, 401);
    t.equal(server.violations.length, wrong.length + 1);
  });
});
