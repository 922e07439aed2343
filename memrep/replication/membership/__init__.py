"""Membership: which nodes work together now. Rule: it knows no write but those that a view has to settle.

timing            the constants, and the inequalities between them
view_id           how a view is named
history           what a side of a cut has behind it, and which side stays when they meet
view              a view: who works together
transitions       which states follow which
state             where this node stands; all its transitions
peer_process      whether a peer's process lives; all its transitions
peer_contact      when a peer was heard, by which way, and whether it hears this node
flap_damping      who comes and goes is let in again later each time
peer              what a node knows of another one; all that is written of it
missed_nodes      whom a view is without by mistake, perhaps, and how it is seen that they are back
settlement        what becomes of the writes in flight when a view begins
failure_detector  who is heard, who is gone, with whom a view can be formed
leases            until when this node may serve
membership        all of these together, as one node has them
one_way           two nodes of which only one hears the other
lost_clients      whose clients are gone when a view begins
view_change       who proposes the next view, who votes for it, and when
event_log         what the operator reads of it
"""
