'use strict';

// A stub of Ghost around the storage adapter named on the command line: the parent class, the S3 client and
// the errors are small doubles, the HTTP server is real.
const assert = require('node:assert/strict');
const http = require('node:http');
const { Readable } = require('node:stream');

const Adapter = require(process.argv[2]);

const CONTENT = 'content/images/2026/11/a.png';

function send(command) {
  const { Key, Range, IfNoneMatch } = command.input;
  const fail = (status) => Object.assign(new Error('status ' + status), { $metadata: { httpStatusCode: status } });
  if (Key === 'content/images/denied.png') {
    throw fail(403);
  }
  if (Key !== CONTENT) {
    throw fail(404);
  }
  if (IfNoneMatch === '"tag"') {
    throw fail(304);
  }
  if (Range === 'bytes=100-') {
    throw fail(416);
  }
  const body = Range === 'bytes=0-1' ? 'pi' : 'picture';
  return {
    Body: Readable.from([Buffer.from(body)]),
    ContentLength: body.length,
    ContentRange: Range ? 'bytes 0-1/7' : undefined,
    ContentType: 'application/octet-stream',
    ETag: '"tag"',
    LastModified: new Date(0),
  };
}

const adapter = new Adapter({ bucket: 'bucket', staticFileURLPrefix: 'content/images', client: { send: async (c) => send(c) } });
const serve = adapter.serve();
const server = http.createServer((req, res) => {
  req.path = req.url;
  res.status = (code) => ((res.statusCode = code), res);
  res.type = (extension) => res.setHeader('Content-Type', 'image/' + extension);
  serve(req, res, (error) => {
    res.statusCode = error ? error.statusCode || 500 : 599;
    res.end();
  });
});

function get(path, headers = {}, method = 'GET') {
  return new Promise((resolve, reject) => {
    const { port } = server.address();
    const request = http.request({ host: '127.0.0.1', port, path, headers, method }, (res) => {
      let body = '';
      res.on('data', (chunk) => (body += chunk));
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body }));
    });
    request.on('error', reject);
    request.end();
  });
}

const cases = [
  { path: '/2026/11/a.png', status: 200, body: 'picture' },
  { path: '/2026/11/a.png', method: 'HEAD', status: 200, body: '' },
  { path: '/2026/11/a.png', headers: { range: 'bytes=0-1' }, status: 206, body: 'pi' },
  { path: '/2026/11/a.png', headers: { range: 'bytes=100-' }, status: 416 },
  { path: '/2026/11/a.png', headers: { 'if-none-match': '"tag"' }, status: 304 },
  { path: '/2026/11/b.png', status: 404 },
  { path: '/denied.png', status: 500 },
  { path: '/%zz.png', status: 400 },
  { path: '/', status: 404 },
  { path: '/2026/11/a.png', method: 'POST', status: 599 },
];

server.listen(0, '127.0.0.1', async () => {
  try {
    for (const { path, headers, method, status, body } of cases) {
      const answer = await get(path, headers, method);
      const name = (method || 'GET') + ' ' + path + ' ' + JSON.stringify(headers || {});
      assert.equal(answer.status, status, name);
      if (body !== undefined) {
        assert.equal(answer.body, body, name);
        assert.equal(answer.headers['content-type'], 'image/png', name);
        assert.equal(answer.headers['x-content-type-options'], 'nosniff', name);
      }
    }
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
  server.close();
});
