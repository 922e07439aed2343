"""Membership: which nodes work together now. Rule: it knows no write but those that a view has to settle.

timing            the constants, and the inequalities between them
view_id           how a view is named
history           what a side of a cut has behind it, and which side stays when they meet
view              a view: who works together
transitions       which states follow which
state             where this node stands; all its transitions
peer              what it knows of another one; all that is written of it
settlement        what becomes of the writes in flight when a view begins
failure_detector  who is heard, who is gone, whose lease this node holds
one_way           two nodes of which only one hears the other
view_change       who proposes the next view, who votes for it, and when
event_log         what the operator reads of it
"""
