"""Teaching: a new gesture from a handful of examples, in seconds, on the host, without torch.

**What is learnt.** The recurrent network stays as it is (it may be on the chip). Its memory at every step, the leaky read-out o [H],
already tells movements apart that it has no name for; a taught gesture is one more column w_k [H], b_k of the read-out. The old columns
are frozen, so the order of the old classes among each other can never change: all that teaching can do to an old gesture is to take
windows from it, and exactly that is measured and told. Decisions need no other code: a taught class is one of the labels, and passes the
same gates.

**How.** The logits z are frozen affine functions of o, so with L = logsumexp(z / T) over the old classes and u_k = (o w_k + b_k) / T - L,
the softmax over old and taught classes is a multinomial logistic regression of the taught classes against "anything else" with the offset
-L. It is convex; L-BFGS finds the one optimum (`fit`). A column is pulled towards that of `other_gestures` (what a new movement was before
it had a name) by a ridge in units of the features' spread, which keeps 256 weights sane on five examples. Every example counts in five
places (as it is, and moved by two cells to each side), since nobody stands in the same place twice; thinned copies brought nothing.

**Against what.** A column fitted on the examples alone would fire for everything, so it needs the rest of the world:
`assets/movements.npz`, 208 simulated clips of the known gestures, of idle people and of things that are no person, as frames. Frames
rather than features, because features belong to one set of weights and whoever trains a network of their own teaches it too; shipped
rather than simulated on the spot, because that takes a minute of two cores, and the visitor waits; 1.5 MB. Features of a set of weights
take seconds and are kept in the user's cache. Half of the clips are fitted against, the other half measures what the old gestures lose.
`--not` recordings join the fit as counter-examples: simulated clips are no photograph of the user's room.

**What is kept.** A head (`head`) is a file of its own beside the weights: columns, the weights' digest, figures, and the examples as
frames (about 15 kB each; no recording, no picture finer than 32 x 32). It is a function of weights and lessons and of nothing else, bit for
bit on one machine (sums run in one thread and one order), so lessons add up, and one can be taken back out of the middle as if it had
never been.
"""
