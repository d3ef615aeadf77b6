"""What will a comparison take, and which design is precise enough?"""
