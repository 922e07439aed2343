"""The side door: how nodes keep one another's data the same. Bytes in, bytes out.

Inside a view, that is while the same nodes are known to be there, writes go round as in Hermes: whoever has
the client coordinates, one broadcast, every member acknowledges, the client is answered. A change of view is
viewstamped: all members of the new view vote, each vote carries every write that is in flight, one proposer
settles them, and the new view starts with nothing in flight. docs/replication.md has the whole story.

    message    what nodes say to each other          presence   who is heard, who is gone, whose lease holds
    wire       how it is spelled on a link           election   proposals, votes, the next view
    handshake  the greeting that opens a link        transfer   how a node that lacks data gets it
    view       a view, and how its writes settle     relay      the way round a link that is cut
    stream     numbered frames inside a view         replica    the room in which they all meet
    rounds     a write's way round the members
"""
