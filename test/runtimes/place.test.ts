import { describe, expect, it } from 'vitest'
import { type MountedRequest, placeOf } from '../../src/runtimes/place.ts'

const place = (mount: string, req: { url: string; originalUrl?: string; baseUrl?: string }) =>
  placeOf(req as MountedRequest, mount)

describe('the place of a request', () => {
  it('is what the app was loaded with where no container has touched it', () => {
    expect(place('', { url: '/a?b' })).toEqual({ target: '/a?b', mount: '' })
    expect(place('/shop', { url: '/shop/a' })).toEqual({ target: '/shop/a', mount: '/shop' })
  })

  it('is put together with the prefix that Express has cut off', () => {
    const express = { url: '/a?b', originalUrl: '/shop/a?b', baseUrl: '/shop' }
    expect(place('', express)).toEqual({ target: '/shop/a?b', mount: '/shop' })
    expect(place('/shop', express)).toEqual({ target: '/shop/a?b', mount: '/shop' })
    expect(place('/a', express)).toEqual({ target: '/shop/a?b', mount: '/shop/a' })
    const deep = { url: '/a', originalUrl: '/x/shop/a', baseUrl: '/x/shop' }
    expect(place('/shop', deep)).toEqual({ target: '/x/shop/a', mount: '/x/shop' })
    // `/shop` is a name, not the end of a text.
    expect(place('/shop', { url: '/a', originalUrl: '/myshop/a', baseUrl: '/myshop' }).mount).toBe('/myshop/shop')
  })

  it('is put together with the prefix that Connect has cut off', () => {
    expect(place('', { url: '/a?b', originalUrl: '/shop/a?b' })).toEqual({ target: '/shop/a?b', mount: '/shop' })
    expect(place('', { url: '/a?b=/c', originalUrl: '/a?b=/c' })).toEqual({ target: '/a?b=/c', mount: '' })
  })

  it('has no slash that the client did not send', () => {
    expect(place('', { url: '/?b', originalUrl: '/shop?b', baseUrl: '/shop' }).target).toBe('/shop?b')
    expect(place('', { url: '/?b', originalUrl: '/shop?b' })).toEqual({ target: '/shop?b', mount: '/shop' })
    expect(place('', { url: '/', originalUrl: '/shop/', baseUrl: '/shop' }).target).toBe('/shop/')
  })

  it('follows a middleware that has rewritten the URL', () => {
    const rewritten = { url: '/index.html', originalUrl: '/shop/any/page', baseUrl: '/shop' }
    expect(place('/shop', rewritten)).toEqual({ target: '/shop/index.html', mount: '/shop' })
  })
})
