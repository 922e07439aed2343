"""Replication: how nodes keep one another's data the same. Rule: it knows no command.

Inside a view, that is while the same nodes are known to be there, writes go round as in Hermes: whoever has
the client coordinates, one broadcast, every member acknowledges, the client is answered. A change of view is
viewstamped: all members of the new view vote, each vote carries every write that is in flight, one proposer
settles them, and the new view starts with nothing in flight. docs/replication.md has the whole story.

message         what nodes say to each other
wire            how it is spelled on a link
handshake       the greeting that opens a link
membership      who is heard, who is in the view, and how the next view comes about
recovery        what a node has brought back from its disk, and what becomes of it
votes           what a node says when it promises a view
observer        SEAM: who is told of writes and owners that others have
heartbeat       what each node says of itself to all others, and what is made of it
signs_of_life   what links and messages show of a peer's process, and what follows at once
later_views     what belongs to a view that is not installed here yet
frames          numbered frames inside a view
rounds          a write's way round the members
round_times     how long that took
donor           who holds everything gives it away, a piece at a time
settled_writes  what a view has decided of the writes in flight, as each member takes it over
state_transfer  how a node that lacks data gets it
outbox          what goes out in one turn, and by which way
relay           the way round a link that is cut
replica         where they all meet
links           who has called, who is who, and what came
"""
