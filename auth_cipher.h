/*
 * auth_cipher.h - a body that is encrypted with the hook's secret: "what does it say?"
 * A leaf.  Encryption proves nothing about the sender: a signature does.
 */
#ifndef AUTH_CIPHER_H
#define AUTH_CIPHER_H

#include "base/arena.h"

/*
 * AES-256-CBC with PKCS#7 padding, the key the SHA-256 of the secret, the first block
 * the initialisation vector (Lark's event subscriptions).  .p NULL: it is no such text.
 */
struct str	cipher_open(struct arena *, struct str secret, struct str sealed);

#endif
