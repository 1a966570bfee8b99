'use strict';

// Ghost's own S3Storage keeps uploads in a bucket but leaves reading to a public CDN: serve() answers
// with a redirect to `cdnUrl`. The bucket of this platform is private and has no CDN, so this adapter
// changes that one thing: serve() streams the object, with Ghost's own role. Everything else
// (keys, uploads, multipart, resized images) is the parent's.
//
// `cdnUrl` is the site's own URL, so an uploaded image has the URL that local storage would give it
// (<site>/content/images/...), and a CDN can be put in front later without touching a post.

// Ghost's index.js is the main module, wherever the image or a laptop installed it.
const ghost = require.main;
const { default: S3Storage } = ghost.require('./core/server/adapters/storage/S3Storage');
const { GetObjectCommand } = ghost.require('@aws-sdk/client-s3');
const errors = ghost.require('@tryghost/errors');

const YEAR = 365 * 24 * 60 * 60;

// Uploads get a unique name, so a response never changes and may be kept.
const CACHE_CONTROL = 'public, max-age=' + YEAR + ', immutable';

class S3Content extends S3Storage {
  serve() {
    return async (req, res, next) => {
      if (req.method !== 'GET' && req.method !== 'HEAD') {
        return next();
      }
      let object;
      try {
        object = await this.open(req);
      } catch (error) {
        return this.refuse(error, req, res, next);
      }
      this.describe(object, req, res);
      if (req.method === 'HEAD') {
        object.Body.destroy();
        return res.end();
      }
      // A reader that leaves early must not keep the connection to S3 open.
      res.on('close', () => object.Body.destroy());
      object.Body.on('error', (error) => res.destroy(error));
      object.Body.pipe(res);
    };
  }

  open(req) {
    const relativePath = decodeURIComponent(req.path).replace(/^\/+/, '');
    if (!relativePath) {
      throw new errors.NotFoundError({ message: 'No file named' });
    }
    return this.client.send(
      new GetObjectCommand({
        Bucket: this.bucket,
        Key: this.buildKey(relativePath),
        IfNoneMatch: req.headers['if-none-match'],
        Range: req.headers.range,
      }),
    );
  }

  describe(object, req, res) {
    res.status(object.ContentRange ? 206 : 200);
    const headers = {
      'Accept-Ranges': 'bytes',
      'Cache-Control': CACHE_CONTROL,
      'Content-Length': object.ContentLength,
      'Content-Range': object.ContentRange,
      ETag: object.ETag,
      'Last-Modified': object.LastModified && object.LastModified.toUTCString(),
      'X-Content-Type-Options': 'nosniff',
    };
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) {
        res.setHeader(name, value);
      }
    }
    // A resized image has no type of its own in the bucket, and Ghost has set one when it changed
    // the format; otherwise the file's name tells.
    if (res.getHeader('Content-Type')) {
      return;
    }
    const stored = object.ContentType;
    if (stored && stored !== 'application/octet-stream') {
      res.setHeader('Content-Type', stored);
      return;
    }
    const extension = req.path.slice(req.path.lastIndexOf('.') + 1);
    res.type(extension);
  }

  refuse(error, req, res, next) {
    if (error instanceof URIError) {
      return next(new errors.BadRequestError({ err: error }));
    }
    const status = error.$metadata && error.$metadata.httpStatusCode;
    if (status === 304) {
      return res.status(304).end();
    }
    if (status === 416) {
      return res.status(416).end();
    }
    if (status === 404 || error.statusCode === 404) {
      return next(new errors.NotFoundError({ err: error, message: 'File not found: ' + req.path }));
    }
    return next(error);
  }
}

module.exports = S3Content;
